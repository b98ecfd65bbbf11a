import com.azure.core.credential.AccessToken;
import com.azure.core.credential.TokenCredential;
import com.azure.core.credential.TokenRequestContext;
import com.azure.identity.DefaultAzureCredentialBuilder;
import com.azure.identity.ManagedIdentityCredentialBuilder;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.OffsetDateTime;
import java.util.Base64;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A client that asks for tokens as programs written in Java do.
 *
 * <p>{@code java Clients managed|default SCOPE…} prints a line for each token: audience, tenant, and
 * the seconds that the client believes the token will live. The token itself is never printed.
 */
public final class Clients {
    public static void main(String[] arguments) {
        TokenCredential credential = arguments[0].equals("managed")
                ? new ManagedIdentityCredentialBuilder().build()
                : new DefaultAzureCredentialBuilder().build();
        for (int i = 1; i < arguments.length; i++) {
            AccessToken token;
            try {
                token = credential
                        .getToken(new TokenRequestContext().addScopes(arguments[i]))
                        .block(Duration.ofSeconds(60));
            } catch (RuntimeException error) {
                System.err.println("Clients: error: " + error.getMessage());
                System.exit(1);
                return;
            }
            byte[] payload = Base64.getUrlDecoder().decode(token.getToken().split("\\.")[1]);
            String claims = new String(payload, StandardCharsets.UTF_8);
            long life = Duration.between(OffsetDateTime.now(), token.getExpiresAt()).toSeconds();
            System.out.println(claim(claims, "aud") + " " + claim(claims, "tid") + " " + life);
        }
        System.exit(0); // the SDK's threads would keep the program alive for a minute
    }

    private static String claim(String claims, String name) {
        Matcher found = Pattern.compile("\"" + name + "\"\\s*:\\s*\"([^\"]*)\"").matcher(claims);
        return found.find() ? found.group(1) : "none";
    }
}
